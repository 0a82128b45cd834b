# version: sveltekit 2.70.4
# kind: app
# adapter-static with a fallback: one 200.html for all addresses, and everything else by script.
. "$RECIPES/parts/sveltekit.sh"
project 'adapter({ fallback: "200.html" })' 'export const ssr = false;'
npx vite build
cp -R build ../out
sed -i 's/About it\./About it, once more./' src/routes/about/+page.svelte
npx vite build
cp -R build ../next
