# version: tinymce 8.9.2
# kind: plain
# An editor that finds its theme, skins, icons and plugins beside its own script, and edits in a frame.
npm pack --silent tinymce@8.9.2
tar -xf tinymce-8.9.2.tgz
mkdir out
mv package out/tinymce
cat > out/index.html <<'END'
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>An editor</title><link rel="icon" href="data:,"></head>
<body>
<textarea id="text">Some <b>text</b></textarea>
<script src="tinymce/tinymce.min.js"></script>
<script>tinymce.init({ selector: "#text", license_key: "gpl", plugins: "lists link table code", height: 300, promotion: false });</script>
</body>
</html>
END
cp -R out next
sed -i 's/Some <b>/Another edition’s <b>/' next/index.html
