const MAX_LENGTH = 120;

/**
 * File names for things that a stream names: letters, digits, `.`, `_`, `-` are kept, anything else becomes `_`, so
 * that no name leads out of its folder or hides; a name that was given before gets a number.
 */
export class FileNames {
  /** In small letters; of one that was asked for more than once, how many numbers were tried. */
  readonly #given = new Map<string, number>();

  /** A name that no other call of this object returned. `extension` includes its dot. */
  next(text: string, extension: string): string {
    const safe =
      text
        .replace(/[^A-Za-z0-9._-]/g, '_')
        .replace(/^\.+/, '_')
        .slice(0, MAX_LENGTH) || '_';
    let name = `${safe}${extension}`;
    // Some file systems do not tell capital letters from small ones.
    const plain = name.toLowerCase();
    let number = this.#given.get(plain) ?? 0;
    while (this.#given.has(name.toLowerCase())) name = `${safe}-${++number + 1}${extension}`;
    this.#given.set(plain, number);
    this.#given.set(name.toLowerCase(), this.#given.get(name.toLowerCase()) ?? 0);
    return name;
  }
}
