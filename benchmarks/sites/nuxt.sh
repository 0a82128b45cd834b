# version: nuxt 3.21.11
# kind: folders
# `nuxt generate`: folders, a 200.html and a 404.html, and each page's data in a _payload.json.
mkdir -p site/pages/blog
cd site
npm init --yes > /dev/null
npm install nuxt@3.21.11 vue@3.5.22 vue-router@4.5.1
cat > nuxt.config.ts <<'END'
export default defineNuxtConfig({ compatibilityDate: "2025-07-15", devtools: { enabled: false }, telemetry: false });
END
cat > app.vue <<'END'
<template>
  <nav><NuxtLink to="/">Home</NuxtLink> <NuxtLink to="/about">About</NuxtLink> <NuxtLink to="/blog/a">A</NuxtLink> <NuxtLink to="/blog/b">B</NuxtLink></nav>
  <NuxtPage />
</template>
<style>
body { font-family: sans-serif; }
h1 { color: teal; }
</style>
END
cat > pages/index.vue <<'END'
<script setup>
const count = ref(0);
</script>
<template><main><h1>Home</h1><button @click="count++">{{ count }}</button></main></template>
END
cat > pages/about.vue <<'END'
<template><main><h1>About</h1><p>About it.</p></main></template>
<style scoped>p { color: brown; }</style>
END
cat > "pages/blog/[slug].vue" <<'END'
<script setup>
const { data } = await useAsyncData("post", () => Promise.resolve({ text: "This was fetched." }));
</script>
<template><main><h1>Post {{ $route.params.slug }}</h1><p>{{ data.text }}</p></main></template>
END
npx nuxt generate
cp -RL dist ../out
sed -i 's/About it\./About it, once more./' pages/about.vue
npx nuxt generate
cp -RL dist ../next
