export const page = () => "<h1>About</h1><p>About it.</p>";
