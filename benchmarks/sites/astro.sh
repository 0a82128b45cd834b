# version: astro 5.18.2
# kind: folders
# Pages at /x/, links without the slash, view transitions and an island's script of its own.
npm init --yes > /dev/null
npm install astro@5.18.2
mkdir -p src/pages/blog src/layouts public
cat > astro.config.mjs <<'END'
export default {};
END
cat > public/favicon.svg <<'END'
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><circle cx="5" cy="5" r="4" fill="teal"/></svg>
END
cat > src/layouts/Page.astro <<'END'
---
import { ClientRouter } from "astro:transitions";
const { title } = Astro.props;
---
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
    <title>{title}</title>
    <ClientRouter />
  </head>
  <body>
    <nav><a href="/">Home</a> <a href="/about">About</a> <a href="/blog/one">One</a> <a href="/blog/two/">Two</a></nav>
    <h1>{title}</h1>
    <slot />
  </body>
</html>
<style is:global>
  body { font-family: sans-serif; margin: 2rem; color: #234; }
</style>
END
cat > src/pages/index.astro <<'END'
---
import Page from "../layouts/Page.astro";
---
<Page title="Home">
  <button id="count">0</button>
</Page>
<style>
  button { background: gold; }
</style>
<script>
  const button = document.getElementById("count");
  button.addEventListener("click", () => { button.textContent = String(Number(button.textContent) + 1); });
</script>
END
cat > src/pages/about.astro <<'END'
---
import Page from "../layouts/Page.astro";
---
<Page title="About"><p style="color: crimson">What it is about.</p></Page>
END
cat > src/pages/404.astro <<'END'
---
import Page from "../layouts/Page.astro";
---
<Page title="Not found"><p>Nothing is here.</p></Page>
END
cat > src/pages/blog/one.md <<'END'
---
layout: ../../layouts/Page.astro
title: One
---
The first, with `code`:

```js
console.log("one");
```
END
cat > src/pages/blog/two.astro <<'END'
---
import Page from "../../layouts/Page.astro";
---
<Page title="Two"><p id="late">…</p></Page>
<script>
  const { late } = await import("../../late.js");
  document.getElementById("late").textContent = late;
</script>
END
echo 'export const late = "It came later.";' > src/late.js
npx astro build
mv dist out
sed -i 's/What it is about/What it is about now/' src/pages/about.astro
echo 'export const late = "It came later, in another edition.";' > src/late.js
npx astro build
mv dist next
