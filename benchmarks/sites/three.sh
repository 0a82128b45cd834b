# version: three 0.187.0
# kind: plain
# Modules by an import map, with those below a prefix.
npm pack --silent three@0.187.0
tar -xf three-0.187.0.tgz
mkdir out
cp -R package/build out/build
mkdir -p out/jsm
cp -R package/examples/jsm/controls package/examples/jsm/loaders package/examples/jsm/geometries package/examples/jsm/utils package/examples/jsm/math package/examples/jsm/libs out/jsm
cat > out/index.html <<'END'
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>A cube</title>
  <link rel="icon" href="data:,">
  <script type="importmap">{ "imports": { "three": "./build/three.module.js", "three/addons/": "./jsm/" } }</script>
</head>
<body>
<a href="text.html">Text</a>
<pre id="told"></pre>
<script type="module">
  import * as THREE from "three";
  import { OrbitControls } from "three/addons/controls/OrbitControls.js";
  import { RoundedBoxGeometry } from "three/addons/geometries/RoundedBoxGeometry.js";
  const controls = new OrbitControls(new THREE.PerspectiveCamera(), document.body);
  const box = new RoundedBoxGeometry(1, 1, 1, 4, 0.2);
  document.getElementById("told").textContent = `${box.attributes.position.count} ${controls.enabled} ${THREE.REVISION}`;
</script>
</body>
</html>
END
echo 'Some text.' > out/text.txt
cat > out/text.html <<'END'
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Text</title>
  <link rel="icon" href="data:,">
  <script type="importmap">{ "imports": { "three": "./build/three.module.js", "three/addons/": "./jsm/" } }</script>
</head>
<body>
<a href="index.html">A cube</a>
<pre id="told"></pre>
<script type="module">
  import { FileLoader } from "three";
  const text = await new FileLoader().loadAsync("text.txt");
  const { OBJLoader } = await import("three/addons/loaders/" + ["OBJ", "Loader"].join("") + ".js");
  document.getElementById("told").textContent = `${text} ${new OBJLoader().parse("v 0 0 0").type}`;
</script>
</body>
</html>
END
cp -R out next
sed -i 's/A cube/Another edition/' next/index.html
