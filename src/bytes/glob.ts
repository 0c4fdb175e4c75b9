/** The pattern of a glob over names with slashes: `*` matches within one name, `**` anything, `?` one character. */
export function globPattern(glob: string): RegExp {
  const source = glob.replace(/\*+|[^*]/gu, (token) => {
    if (token === '*') return '[^/]*';
    if (token.startsWith('*')) return '.*';
    if (token === '?') return '[^/]';
    return token.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 'su');
}
