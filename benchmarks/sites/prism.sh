# version: prismjs 1.30.0
# kind: folders
# The autoloader in a sub-folder, which finds its languages beside its own script.
npm pack --silent prismjs@1.30.0
tar -xf prismjs-1.30.0.tgz
mkdir -p out/vendor/prism out/docs
cp -R package/components package/plugins package/themes out/vendor/prism
cat > out/index.html <<'END'
<!DOCTYPE html>
<html>
<head>
  <meta charset="utf-8">
  <title>Code</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="vendor/prism/themes/prism.css">
  <link rel="stylesheet" href="vendor/prism/plugins/line-numbers/prism-line-numbers.css">
</head>
<body>
<a href="docs/">More</a>
<pre class="line-numbers"><code class="language-rust">fn main() { println!("{}", 1); }</code></pre>
<pre><code class="language-haskell">main = print 1</code></pre>
<script src="vendor/prism/components/prism-core.min.js"></script>
<script src="vendor/prism/plugins/autoloader/prism-autoloader.min.js"></script>
<script src="vendor/prism/plugins/line-numbers/prism-line-numbers.min.js"></script>
</body>
</html>
END
sed -e 's,"vendor/,"../vendor/,; s,docs/,../,; s/language-haskell/language-python/; s/main = //' out/index.html > out/docs/index.html
cp -R out next
sed -i 's/"{}", 1/"{}", 2/' next/index.html
