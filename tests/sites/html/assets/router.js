// As frameworks do: a link within the site fetches the next page's data, and no page.
addEventListener("click", async (event) => {
  const link = event.target.closest("a[href]");
  if (!link || link.origin !== location.origin) {
    return;
  }
  event.preventDefault();
  const name = link.pathname.replace(/^\/|\/$/g, "").replaceAll("/", "-") || "index";
  const answer = await fetch(`/data/${name}.json`);
  if (!answer.ok) {
    location.href = link.href;
    return;
  }
  const { title } = await answer.json();
  history.pushState(null, "", link.href);
  document.title = title;
  const { mark } = await import("./late-4b1d9e72.js");
  document.querySelector("h1").textContent = mark(title);
});
