// In place of mistakes.js, exercises.js and stops.js on a page without questions and stops.

const stepLimit = (page) => page.steps.length - 1;
const falsify = () => {};
const buildLesson = () => {};
const startLesson = () => {};
