// As Prism's autoloader does: languages are beside this script.
const beside = document.currentScript.src.replace(/[^/]+$/, "languages/");
for (const code of document.querySelectorAll("code[class^=language-]")) {
  const script = document.createElement("script");
  script.src = `${beside}${code.className.slice("language-".length)}.js`;
  document.body.append(script);
}
