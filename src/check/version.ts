/** Is a version such as `10.0.13` older than major and minor? */
export function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [theirMajor = 0, theirMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return theirMajor < major || (theirMajor === major && theirMinor < minor);
}
