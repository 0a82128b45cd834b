// A chunk for each page, which is loaded when it is needed.
const chunks = { about: "./about-1c6b2f93.js", items: "./items-7e4d0a58.js" };
const show = async () => {
  const [name, id] = location.pathname.slice(1).split("/");
  const main = document.querySelector("main");
  if (name === "") {
    main.innerHTML = "<h1>Home</h1>";
  } else if (chunks[name]) {
    main.innerHTML = (await import(chunks[name])).page(id);
  } else {
    main.innerHTML = "<h1>Nothing is here</h1>";
  }
};
addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (link) {
    event.preventDefault();
    history.pushState(null, "", link.href);
    void show();
  }
});
addEventListener("popstate", show);
await show();
await navigator.serviceWorker.register("/sw.js");
