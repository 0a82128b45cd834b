# A SvelteKit project in `site`, with the adapter `$1` and the layout's options `$2`.
project() {
  mkdir -p site/src/routes/about "site/src/routes/blog/[slug]" site/static
  cd site
  npm init --yes > /dev/null
  npm pkg set type=module
  npm install @sveltejs/kit@2.70.4 @sveltejs/adapter-static@3.0.11 @sveltejs/vite-plugin-svelte@6.2.4 svelte@5.57.3 vite@7.3.8
  cat > svelte.config.js <<END
import adapter from "@sveltejs/adapter-static";
export default { kit: { adapter: $1, version: { name: "an edition" } } };
END
  cat > vite.config.js <<'END'
import { sveltekit } from "@sveltejs/kit/vite";
export default { plugins: [sveltekit()] };
END
  cat > src/app.html <<'END'
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <link rel="icon" href="%sveltekit.assets%/icon.svg" />
    %sveltekit.head%
  </head>
  <body data-sveltekit-preload-data="hover">
    <div style="display: contents">%sveltekit.body%</div>
  </body>
</html>
END
  echo '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9" fill="tomato"/></svg>' > static/icon.svg
  echo "$2" > src/routes/+layout.js
  cat > src/routes/+layout.svelte <<'END'
<script>
  let { children } = $props();
</script>
<nav><a href="/">Home</a> <a href="/about">About</a> <a href="/blog/a">A</a> <a href="/blog/b">B</a></nav>
{@render children()}
<style>
  nav { font-family: sans-serif; }
</style>
END
  cat > src/routes/+page.svelte <<'END'
<script>
  let count = $state(0);
</script>
<svelte:head><title>Home</title></svelte:head>
<h1>Home</h1>
<button onclick={() => count++}>{count}</button>
<style>
  h1 { color: steelblue; }
</style>
END
  cat > src/routes/about/+page.svelte <<'END'
<svelte:head><title>About</title></svelte:head>
<h1>About</h1>
<p>About it.</p>
<style>
  p { color: brown; }
</style>
END
  cat > "src/routes/blog/[slug]/+page.js" <<'END'
export const entries = () => [{ slug: "a" }, { slug: "b" }];
export const load = ({ params }) => ({ slug: params.slug });
END
  cat > "src/routes/blog/[slug]/+page.svelte" <<'END'
<script>
  let { data } = $props();
</script>
<svelte:head><title>Post {data.slug}</title></svelte:head>
<h1>Post {data.slug}</h1>
END
  cat > src/routes/+error.svelte <<'END'
<script>
  import { page } from "$app/state";
</script>
<h1>{page.status}: nothing is here</h1>
END
}
