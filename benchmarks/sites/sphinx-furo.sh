# version: sphinx 9.0.4, furo 2025.12.19
# kind: plain
# Links with their ending, a search by script, query strings behind the names of scripts and styles.
python3 -m venv venv
venv/bin/pip install --quiet sphinx==9.0.4 furo==2025.12.19
mkdir docs
printf '%s\n' 'project = "A manual"' 'html_theme = "furo"' 'extensions = ["sphinx.ext.mathjax"]' 'mathjax_path = "mathjax.js"' 'html_static_path = ["_static"]' > docs/conf.py
mkdir docs/_static
echo 'document.documentElement.dataset.math = "ran";' > docs/_static/mathjax.js
printf '%s\n' 'A manual' '========' '' '.. toctree::' '' '   start' '   more/deep' '' '.. note:: A note.' > docs/index.rst
printf '%s\n' 'Start' '=====' '' '.. code-block:: python' '' '   print(1)' '' 'See :doc:`more/deep`, and :math:`a^2`.' > docs/start.rst
mkdir docs/more
printf '%s\n' 'Deep' '====' '' 'Deeper. Grüße.' '' '.. image:: picture.svg' > docs/more/deep.rst
echo '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><circle cx="20" cy="20" r="18" fill="olive"/></svg>' > docs/more/picture.svg
venv/bin/sphinx-build --quiet docs out
rm -rf out/.doctrees
printf '%s\n' '' 'One more line.' >> docs/start.rst
venv/bin/sphinx-build --quiet docs next
rm -rf next/.doctrees
