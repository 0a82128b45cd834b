# version: redoc 2.5.4
# kind: plain
# The script that stands alone, on a page as its documentation has it.
npm pack --silent redoc@2.5.4
tar -xf redoc-2.5.4.tgz
mkdir out
cp package/bundles/redoc.standalone.js package/bundles/redoc.standalone.js.map out
echo '{"openapi":"3.1.0","info":{"title":"An API","version":"1"},"paths":{"/users":{"get":{"summary":"All","responses":{"200":{"description":"OK"}}}}}}' > out/openapi.json
cat > out/index.html <<'END'
<!DOCTYPE html>
<html>
  <head>
    <title>Redoc</title>
    <meta charset="utf-8"/>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="icon" href="data:,">
    <style>body { margin: 0; padding: 0; }</style>
  </head>
  <body>
    <redoc spec-url="openapi.json" hide-download-button untrusted-spec></redoc>
    <script src="redoc.standalone.js"></script>
  </body>
</html>
END
cp -R out next
sed -i 's/An API/Another edition/' next/openapi.json
