// In place of lens.js on a page without arrays.

const buildLens = () => {};
const updateLens = () => {};
