const MAX_LENGTH = 120;

/**
 * File names for things that a stream names: letters, digits, `.`, `_`, `-` are kept, anything else becomes `_`, so
 * that no name leads out of its folder or hides; a name that was given before gets a number.
 */
export class FileNames {
  readonly #given = new Set<string>();

  /** A name that no other call of this object returned. `extension` includes its dot. */
  next(text: string, extension: string): string {
    const safe =
      text
        .replace(/[^A-Za-z0-9._-]/g, '_')
        .replace(/^\.+/, '_')
        .slice(0, MAX_LENGTH) || '_';
    let name = `${safe}${extension}`;
    // Some file systems do not tell capital letters from small ones.
    for (let i = 2; this.#given.has(name.toLowerCase()); i++) name = `${safe}-${i}${extension}`;
    this.#given.add(name.toLowerCase());
    return name;
  }
}
