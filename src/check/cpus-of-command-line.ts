/** What is behind an option, each time that it is given. */
function valuesOf(commandLine: readonly string[], option: string): string[] {
  return commandLine.flatMap((word, i) =>
    word === `-${option}` || word === `--${option}` ? (commandLine[i + 1] ?? []) : [],
  );
}

/** Parts of a topology whose product is the number of CPUs (hw/core/machine-smp.c). */
const REQUIRED = ['sockets', 'cores', 'threads'] as const;
const OPTIONAL = ['drawers', 'books', 'dies', 'clusters', 'modules'] as const;

/** Of the machines that CPUs can be plugged into. */
const DEFAULT_CPUS = 1;

/**
 * CPUs that a machine can have at the most, as its command line has them (`-smp`, or `smp.…` of `-machine`). Undefined
 * where it depends on the version of QEMU or stands elsewhere.
 */
export function cpusOfCommandLine(commandLine: readonly string[]): number | undefined {
  const machines = [...valuesOf(commandLine, 'machine'), ...valuesOf(commandLine, 'M')];
  const isElsewhere =
    valuesOf(commandLine, 'readconfig').length > 0 || machines.some((value) => value.startsWith('{'));
  if (isElsewhere) return undefined;
  const given = new Map<string, number>();
  const take = (part: string, implied?: string) => {
    const [name = '', value] = part.split('=');
    const [key, text] = value === undefined && implied !== undefined ? [implied, name] : [name, value];
    if (text !== undefined && /^[0-9]{1,9}$/.test(text)) given.set(key, Number(text));
  };
  for (const value of valuesOf(commandLine, 'smp'))
    value.split(',').forEach((part, i) => {
      take(part, i === 0 ? 'cpus' : undefined);
    });
  for (const part of machines.flatMap((value) => value.split(',')))
    if (part.startsWith('smp.')) take(part.slice('smp.'.length).replace('max-cpus', 'maxcpus'));
  const most = given.get('maxcpus');
  if (most !== undefined) return most;
  const cpus = given.get('cpus');
  const topology = [...REQUIRED, ...OPTIONAL].flatMap((name) => given.get(name) ?? []);
  if (topology.length === 0) return cpus ?? DEFAULT_CPUS;
  // Of an incomplete topology, or one that has more than there are, it depends on the version.
  const product = topology.reduce((most, each) => most * each, 1);
  const isComplete = REQUIRED.every((name) => given.has(name));
  return isComplete && (cpus === undefined || cpus === product) ? product : undefined;
}
