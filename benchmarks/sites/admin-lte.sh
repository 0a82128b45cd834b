# version: admin-lte 2.4.18
# kind: plain
# The package as it is: some sixty pages and thousands of files, many of them loaded by names in scripts.
npm pack --silent admin-lte@2.4.18
tar -xf admin-lte-2.4.18.tgz
mv package out
rm -rf out/node_modules out/build
# It loads its font from another host.
find out -name '*.html' -exec sed -i '/fonts\.googleapis\.com/d' {} +
cp -R out next
sed -i 's/Control panel/Another edition/' next/index.html
