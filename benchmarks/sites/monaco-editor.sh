# version: monaco-editor 0.57.0
# kind: plain
# The AMD build: a loader, languages and workers by names that are put together.
npm pack --silent monaco-editor@0.57.0
tar -xf monaco-editor-0.57.0.tgz
mkdir out
mv package/min/vs out/vs
cat > out/index.html <<'END'
<!DOCTYPE html>
<html>
<head><meta charset="utf-8"><title>An editor</title><link rel="icon" href="data:,"></head>
<body>
<div id="editor" style="width: 800px; height: 500px; border: 1px solid grey"></div>
<script src="vs/loader.js"></script>
<script>
  require.config({ paths: { vs: "vs" } });
  require(["vs/editor/editor.main"], function () {
    monaco.editor.create(document.getElementById("editor"), {
      value: "function x() {\n  return 1;\n}\n", language: "javascript", cursorBlinking: "solid", automaticLayout: false,
    });
  });
</script>
</body>
</html>
END
cp -R out next
sed -i 's/return 1/return 2/' next/index.html
