# version: sveltekit 2.70.4
# kind: html
# adapter-static: all pages prerendered as x.html.
. "$RECIPES/parts/sveltekit.sh"
project 'adapter()' 'export const prerender = true;'
npx vite build
cp -R build ../out
sed -i 's/About it\./About it, once more./' src/routes/about/+page.svelte
npx vite build
cp -R build ../next
