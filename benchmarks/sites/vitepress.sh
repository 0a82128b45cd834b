# version: vitepress 1.6.4
# kind: html
# `cleanUrls`: links without an ending, folders with a slash.
npm init --yes > /dev/null
npm install vitepress@1.6.4
mkdir -p docs/.vitepress docs/guide
cat > docs/.vitepress/config.mjs <<'END'
export default {
  title: "A site",
  cleanUrls: true,
  themeConfig: {
    nav: [{ text: "Guide", link: "/guide/" }, { text: "About", link: "/about" }],
    sidebar: [{ text: "Guide", items: [{ text: "Index", link: "/guide/" }, { text: "Start", link: "/guide/start" }] }],
    search: { provider: "local" },
  },
};
END
printf '%s\n' --- 'layout: home' 'hero: { name: A site, text: With clean addresses }' --- > docs/index.md
printf '%s\n' '# About' '' 'About it, and [the guide](/guide/).' > docs/about.md
printf '%s\n' '# Guide' '' '[Start](./start)' > docs/guide/index.md
printf '%s\n' '# Start' '' '```js' 'console.log(1);' '```' > docs/guide/start.md
npx vitepress build docs
mv docs/.vitepress/dist out
printf '%s\n' '' 'One more line.' >> docs/about.md
npx vitepress build docs
mv docs/.vitepress/dist next
