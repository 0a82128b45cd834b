# version: startbootstrap-sb-admin-2 4.1.4
# kind: plain
# A template of a dozen pages with their plugins.
npm pack --silent startbootstrap-sb-admin-2@4.1.4
tar -xf startbootstrap-sb-admin-2-4.1.4.tgz
mv package out
rm -rf out/scss out/gulpfile.js out/package*.json
cp -R out next
sed -i 's/Cards/Another edition/' next/cards.html
