export const page = (id) => `<h1>Item ${Number(id)}</h1>`;
