# version: angular 20.3.32
# kind: app
# worker: yes
# What `ng new --routing` and `ng add @angular/pwa` make: a service worker that knows each file's hash.
npm init --yes > /dev/null
npm install @angular/cli@20.3.41 @schematics/angular@20.3.41
npx ng new site --defaults --routing --skip-git --skip-install --style css --ssr false --zoneless
cd site
for package in $(node -p 'const { dependencies: d, devDependencies: e } = require("./package.json"); Object.keys({ ...d, ...e }).join(" ")'); do
  case $package in
    @angular/build | @angular/cli) npm pkg set "devDependencies.$package=20.3.41" ;;
    @angular/compiler-cli) npm pkg set "devDependencies.$package=20.3.32" ;;
    @angular/*) npm pkg set "dependencies.$package=20.3.32" ;;
    jasmine* | karma* | @types/*) npm pkg delete "devDependencies.$package" ;;
  esac
done
npm pkg set dependencies.@angular/service-worker=20.3.32
npm install
npm install --no-save @angular/pwa@20.3.37
npx ng generate @angular/pwa:pwa --title Site
mkdir -p src/app/about
cat > src/app/about/about.ts <<'END'
import { Component } from '@angular/core';

@Component({ selector: 'app-about', template: '<h2>About</h2><p>About it.</p>', styles: 'p { color: brown; }' })
export class About {}
END
cat > src/app/app.routes.ts <<'END'
import { Routes } from '@angular/router';

export const routes: Routes = [{ path: 'about', loadComponent: () => import('./about/about').then((file) => file.About) }];
END
cat > src/app/app.ts <<'END'
import { Component } from '@angular/core';
import { RouterLink, RouterOutlet } from '@angular/router';

@Component({
  selector: 'app-root',
  imports: [RouterLink, RouterOutlet],
  template: '<nav><a routerLink="/">Home</a> <a routerLink="/about">About</a></nav><h1>A site</h1><router-outlet />',
  styles: 'h1 { color: crimson; }',
})
export class App {}
END
rm -f src/app/app.html src/app/app.css src/app/app.spec.ts
npx ng build
mv dist/site/browser ../out
sed -i 's/About it\./About it, once more./' src/app/about/about.ts
npx ng build
mv dist/site/browser ../next
