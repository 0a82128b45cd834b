export const mark = (title) => `${title}`;
