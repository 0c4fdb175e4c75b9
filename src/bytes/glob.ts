/** Tells which names a glob matches. */
export interface GlobPattern {
  /** In time that grows with the length of the text, whatever the glob is. */
  test(text: string): boolean;
  /** Matches what is left of the texts that begin with one of these. */
  behindAny(starts: readonly string[]): GlobPattern;
}

/** A code point, or what stands for several. */
type Token = number | 'one' | 'name' | 'any';

const SLASH = 0x2f;

/** The pattern of a glob over names with slashes: `*` matches within one name, `**` anything, `?` one character. */
export function globPattern(glob: string): GlobPattern {
  const tokens = (glob.match(/\*+|[^*]/gsu) ?? []).map((token): Token => {
    if (token === '*') return 'name';
    if (token.startsWith('*')) return 'any';
    return token === '?' ? 'one' : token.codePointAt(0)!;
  });
  return new GlobStates(tokens, closure(tokens, [0]));
}

/** Places in a glob where a text may have come to, in order: so many at the most as the glob has tokens, and one. */
class GlobStates implements GlobPattern {
  readonly #tokens: readonly Token[];
  readonly #places: readonly number[];

  constructor(tokens: readonly Token[], places: readonly number[]) {
    this.#tokens = tokens;
    this.#places = places;
  }

  test(text: string): boolean {
    return this.#step(text).at(-1) === this.#tokens.length;
  }

  behindAny(starts: readonly string[]): GlobPattern {
    const places = starts.flatMap((start) => this.#step(start));
    return new GlobStates(this.#tokens, closure(this.#tokens, places));
  }

  #step(text: string): readonly number[] {
    const tokens = this.#tokens;
    let places = this.#places;
    for (let i = 0; i < text.length && places.length > 0; i++) {
      const code = text.codePointAt(i)!;
      if (code > 0xffff) i++;
      const next: number[] = [];
      for (const place of places) {
        const token = tokens[place];
        if (token === undefined) continue;
        if (token === code || (token === 'one' && code !== SLASH)) addPlaces(next, place + 1, tokens);
        else if (token === 'any' || (token === 'name' && code !== SLASH)) addPlaces(next, place, tokens);
      }
      places = next;
    }
    return places;
  }
}

/** Adds a place that no smaller one follows, and those behind it that nothing must be read for. */
function addPlaces(places: number[], place: number, tokens: readonly Token[]): void {
  for (let at = place; ; at++) {
    if (at > (places.at(-1) ?? -1)) places.push(at);
    if (tokens[at] !== 'name' && tokens[at] !== 'any') return;
  }
}

function closure(tokens: readonly Token[], places: readonly number[]): number[] {
  const closed: number[] = [];
  for (const place of [...places].sort((a, b) => a - b)) addPlaces(closed, place, tokens);
  return closed;
}
