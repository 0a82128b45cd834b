# version: mathjax 3.2.2
# kind: plain
# Components and fonts by names that are put together.
npm pack --silent mathjax@3.2.2
tar -xf mathjax-3.2.2.tgz
mkdir out
mv package/es5 out/mathjax
cat > out/index.html <<'END'
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Formulas</title>
  <link rel="icon" href="data:,">
  <script>window.MathJax = { loader: { load: ["[tex]/physics"] }, tex: { packages: { "[+]": ["physics"] } } };</script>
  <script src="mathjax/tex-mml-chtml.js" async></script>
</head>
<body>
<p>When \(a \ne 0\), there are two: \[x = {-b \pm \sqrt{b^2-4ac} \over 2a}, \quad \mathfrak{A}, \dv{f}{x}, \unicode{x2603}\]</p>
<a href="mml.html">MathML</a>
</body>
</html>
END
cat > out/mml.html <<'END'
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>MathML</title>
  <link rel="icon" href="data:,">
  <script src="mathjax/mml-svg.js" async></script>
</head>
<body>
<p><math><msup><mi>x</mi><mn>2</mn></msup></math></p>
<a href="index.html">Formulas</a>
</body>
</html>
END
cp -R out next
sed -i 's/there are two/there are two in this edition/' next/index.html
