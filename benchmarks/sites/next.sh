# version: next 16.4.6
# kind: html
# `output: "export"`: pages as x.html, a dynamic route, and links that fetch the next page's data.
mkdir -p site/app/about "site/app/blog/[slug]" site/public
cd site
npm init --yes > /dev/null
npm pkg set type=module
npm install next@16.4.6 react@19.3.1 react-dom@19.3.1
cat > next.config.mjs <<'END'
import { fileURLToPath } from "node:url";
const root = fileURLToPath(new URL(".", import.meta.url));
export default { output: "export", images: { unoptimized: true }, turbopack: { root }, generateBuildId: () => process.env.EDITION };
END
cat > app/layout.jsx <<'END'
import Link from "next/link";
import "./site.css";

export const metadata = { title: { default: "Home", template: "%s" } };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <nav>
          <Link href="/">Home</Link> <Link href="/about">About</Link> <Link href="/blog/a">A</Link> <Link href="/blog/b">B</Link>
        </nav>
        {children}
      </body>
    </html>
  );
}
END
printf '%s\n' 'body { font-family: sans-serif; }' 'h1 { color: green; }' > app/site.css
cat > app/page.jsx <<'END'
import dynamic from "next/dynamic";
const Late = dynamic(() => import("./late"));
export default function Page() {
  return <main><h1>Home</h1><Late /></main>;
}
END
cat > app/late.jsx <<'END'
"use client";
import { useState } from "react";
export default function Late() {
  const [count, set] = useState(0);
  return <button onClick={() => set(count + 1)}>{count}</button>;
}
END
cat > app/about/page.jsx <<'END'
import styles from "./about.module.css";
export const metadata = { title: "About" };
export default function Page() {
  return <main><h1 className={styles.title}>About</h1><p>About it.</p></main>;
}
END
echo '.title { color: orange; }' > app/about/about.module.css
cat > "app/blog/[slug]/page.jsx" <<'END'
export function generateStaticParams() {
  return [{ slug: "a" }, { slug: "b" }];
}
export default async function Page({ params }) {
  const { slug } = await params;
  return <main><h1>Post {slug}</h1></main>;
}
END
cat > app/not-found.jsx <<'END'
export default function NotFound() {
  return <main><h1>Nothing is here</h1></main>;
}
END
EDITION=first npx next build
mv out ..
sed -i 's/About it\./About it, once more./' app/about/page.jsx
echo '.title { letter-spacing: 1px; }' >> app/about/about.module.css
EDITION=second npx next build
mv out ../next
