// Recurses for ever (T039).
const deeper = (depth) => deeper(depth + 1) + 1;
deeper(0);
