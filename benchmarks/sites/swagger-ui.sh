# version: swagger-ui-dist 5.35.0
# kind: plain
# The package as it is, with an API's description of its own instead of one at another host.
npm pack --silent swagger-ui-dist@5.35.0
tar -xf swagger-ui-dist-5.35.0.tgz
mv package out
sed -i 's,url: "[^"]*",url: "openapi.json",' out/swagger-initializer.js
echo '{"openapi":"3.1.0","info":{"title":"An API","version":"1"},"paths":{"/users":{"get":{"summary":"All","responses":{"200":{"description":"OK"}}}}}}' > out/openapi.json
cp -R out next
sed -i 's/An API/Another edition/' next/openapi.json
