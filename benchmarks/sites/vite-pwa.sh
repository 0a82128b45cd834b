# version: vite-plugin-pwa 2.0.0
# kind: app
# worker: yes
# Vite's React template out of the package that makes new sites, with a service worker of Workbox's.
npm pack --silent create-vite@7.1.2
tar -xf create-vite-7.1.2.tgz
mv package/template-react site
cd site
mv _gitignore .gitignore
npm pkg delete devDependencies.eslint
npm install react@19.3.1 react-dom@19.3.1 vite@7.3.8 @vitejs/plugin-react@5.2.0 vite-plugin-pwa@2.0.0 workbox-build@7.4.1 workbox-window@7.4.1
cat > vite.config.js <<'END'
import react from "@vitejs/plugin-react";
import { VitePWA } from "vite-plugin-pwa";
const manifest = { name: "A site", icons: [{ src: "vite.svg", sizes: "any", type: "image/svg+xml" }] };
const workbox = { globPatterns: ["**/*.{js,css,html,svg}"] };
export default { plugins: [react(), VitePWA({ registerType: "autoUpdate", injectRegister: "script", manifest, workbox })] };
END
cat > src/late.js <<'END'
export default "It came later.";
END
cat >> src/main.jsx <<'END'
import("./late.js").then(({ default: late }) => { document.body.dataset.late = late; });
END
npx vite build
mv dist ../out
sed -i 's/Vite + React/Vite + React + more/' src/App.jsx
sed -i 's/later/later, in another edition/' src/late.js
npx vite build
mv dist ../next
