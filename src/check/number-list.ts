/** Numbers, ascending, for a sentence: `0`, `0 and 1`, `0 to 5`, `0 to 2, 5 and 7`. */
export function numberList(numbers: readonly number[]): string {
  const runs: [first: number, last: number][] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run && number === run[1] + 1) run[1] = number;
    else runs.push([number, number]);
  }
  return sentenceList(
    runs.flatMap(([first, last]) => {
      if (last - first > 1) return `${first} to ${last}`;
      return first === last ? `${first}` : [`${first}`, `${last}`];
    }),
  );
}

/** `a`, `a and b`, `a, b and c`. */
export function sentenceList(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}
