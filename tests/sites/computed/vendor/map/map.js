// As Leaflet does: the folder of the pictures is where the style sheet says that one of them is.
const probe = document.createElement("div");
probe.className = "marker-path";
document.body.append(probe);
const found = getComputedStyle(probe).backgroundImage.slice('url("'.length, -'")'.length);
const folder = found.replace(/marker\.svg$/, "");
probe.remove();
for (const name of ["marker", "shadow"]) {
  const image = new Image();
  image.src = `${folder}${name}.svg`;
  document.querySelector(".map").append(image);
}
