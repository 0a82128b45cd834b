# version: leaflet 1.9.4
# kind: plain
# Markers, whose pictures the script finds beside its style sheet.
npm pack --silent leaflet@1.9.4
tar -xf leaflet-1.9.4.tgz
mkdir out
cp -R package/dist out/leaflet
cat > out/tile.svg <<'END'
<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256"><rect width="255" height="255" fill="#def"/></svg>
END
cat > out/index.html <<'END'
<!DOCTYPE html>
<html>
<head>
  <meta charset="utf-8">
  <title>A map</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="leaflet/leaflet.css">
  <script src="leaflet/leaflet.js"></script>
  <style>#map { width: 700px; height: 400px; }</style>
</head>
<body>
<div id="map"></div>
<script>
  const map = L.map("map", { zoomAnimation: false, fadeAnimation: false }).setView([51.5, -0.09], 13);
  L.tileLayer("tile.svg?{z}/{x}/{y}").addTo(map);
  L.control.layers({}, {}).addTo(map);
  L.marker([51.5, -0.09]).addTo(map).bindPopup("Here").openPopup();
</script>
</body>
</html>
END
cp -R out next
sed -i 's/"Here"/"Here, in another edition"/' next/index.html
