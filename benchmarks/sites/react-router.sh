# version: react-router 7.18.4
# kind: app
# Framework mode with `ssr: false`: one index.html for all addresses, a chunk for each route.
mkdir -p site/app/routes
cd site
npm init --yes > /dev/null
npm pkg set type=module
npm install react-router@7.18.4 @react-router/dev@7.18.4 @react-router/node@7.18.4 isbot@5.1.31 react@19.3.1 react-dom@19.3.1 vite@7.3.8
cat > vite.config.js <<'END'
import { reactRouter } from "@react-router/dev/vite";
export default { plugins: [reactRouter()] };
END
cat > react-router.config.js <<'END'
export default { ssr: false };
END
cat > app/root.jsx <<'END'
import { Link, Links, Meta, Outlet, Scripts, ScrollRestoration, isRouteErrorResponse } from "react-router";
import "./site.css";

export function Layout({ children }) {
  return (
    <html lang="en">
      <head><meta charSet="utf-8" /><link rel="icon" href="data:," /><Meta /><Links /></head>
      <body>
        <nav><Link to="/">Home</Link> <Link to="/about">About</Link> <Link to="/items/1">One</Link> <Link to="/items/2">Two</Link></nav>
        {children}
        <ScrollRestoration />
        <Scripts />
      </body>
    </html>
  );
}

export function HydrateFallback() {
  return <p>Loading</p>;
}

export default function Root() {
  return <Outlet />;
}

export function ErrorBoundary({ error }) {
  return <h1>{isRouteErrorResponse(error) ? error.status : "Broken"}</h1>;
}
END
printf '%s\n' 'body { font-family: sans-serif; }' 'h1 { color: indigo; }' > app/site.css
cat > app/routes.js <<'END'
import { index, route } from "@react-router/dev/routes";
export default [index("routes/home.jsx"), route("about", "routes/about.jsx"), route("items/:id", "routes/item.jsx")];
END
cat > app/routes/home.jsx <<'END'
import { useState } from "react";
export const meta = () => [{ title: "Home" }];
export default function Home() {
  const [count, set] = useState(0);
  return <main><h1>Home</h1><button onClick={() => set(count + 1)}>{count}</button></main>;
}
END
cat > app/routes/about.jsx <<'END'
import styles from "./about.module.css";
export const meta = () => [{ title: "About" }];
export default function About() {
  return <main><h1 className={styles.title}>About</h1><p>About it.</p></main>;
}
END
echo '.title { color: orange; }' > app/routes/about.module.css
cat > app/routes/item.jsx <<'END'
export const clientLoader = ({ params }) => ({ id: params.id });
export default function Item({ loaderData }) {
  return <main><h1>Item {loaderData.id}</h1></main>;
}
END
npx react-router build
mv build/client ../out
sed -i 's/About it\./About it, once more./' app/routes/about.jsx
echo '.title { letter-spacing: 1px; }' >> app/routes/about.module.css
npx react-router build
mv build/client ../next
