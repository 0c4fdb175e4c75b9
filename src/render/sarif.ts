/** A kind of result. */
interface SarifRule {
  readonly id: string;
  readonly text: string;
}

/** A SARIF 2.1.0 log (OASIS) of one run of this program, for code scanning. */
export function sarifLog(version: string, rules: readonly SarifRule[], results: readonly object[]): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'vmwalk',
            version,
            rules: rules.map(({ id, text }) => ({ id, shortDescription: { text } })),
          },
        },
        results,
      },
    ],
  };
}

/** A file name as a reference that is nothing but a path: `disk.qcow2#snapshot` has no fragment. */
export function relativeUri(name: string): string {
  return name
    .replace(/\p{Surrogate}/gu, '\ufffd')
    .split('/')
    .map(encodeURIComponent)
    .join('/');
}
