# version: docusaurus 3.10.2
# kind: folders
# The classic template, out of the package that makes new sites.
npm pack --silent create-docusaurus@3.10.2
tar -xf create-docusaurus-3.10.2.tgz
mkdir site
cp -R package/templates/shared/. package/templates/classic/. site
cd site
npm install
npx docusaurus build --out-dir ../out
sed -i 's/Tutorial Intro/Tutorial Introduction/' docs/intro.md*
npx docusaurus build --out-dir ../next
