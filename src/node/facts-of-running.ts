import { printable } from '../bytes/printable.ts';
import type { Profile } from '../check/profile.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import type { DestinationAnswers } from './ask-destination.ts';
import { builtinSchemas } from './builtin-schema-index.ts';
import type { RunningVm } from './running-vm.ts';

/** What started it, and its tables: what is missing is a warning. */
export async function processFacts(
  vm: RunningVm,
  { qemu, target, machineType }: DestinationAnswers,
  given: QemuSchema | undefined,
  warn: (message: string) => void,
): Promise<Pick<Profile, 'commandLine' | 'schema'>> {
  let commandLine: readonly string[] = [];
  let schema = given;
  try {
    const found = await vm.process();
    commandLine = found.commandLine;
    schema ??= await found.schema();
  } catch (error) {
    const reason = (error as Error).message;
    if (schema) warn(`${vm.name}: its command line is not in the capture: ${reason}`);
    else {
      const missing =
        commandLine.length > 0 ? 'the tables of its QEMU are' : 'its command line and tables are';
      const instead = await builtinInstead(target, machineType);
      warn(`${vm.name}: ${missing} not in the capture: ${reason}; ${instead}`);
    }
  }
  // `7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)`
  const [version] = schema?.qemuVersion?.split(' ') ?? [];
  const isOther = schema?.target !== undefined && schema.target !== target;
  if (isOther || (version !== undefined && version !== qemu.version)) {
    const [theirs, ours] = isOther
      ? [`${version} ${schema?.target}`, `${qemu.version} ${target}`]
      : [version, qemu.version];
    warn(`${vm.name}: the tables are those of QEMU ${theirs}, and ${ours} runs: left out`);
    schema = undefined;
  }
  return { commandLine, schema };
}

/** What reads a capture without tables. */
async function builtinInstead(target: string, machineType: string): Promise<string> {
  const knowing = (await builtinSchemas()).filter(
    (schema) => schema.target === target && schema.machineTypes.includes(machineType),
  );
  if (knowing.length === 0)
    return `it is read by built-in tables, none of which have ${printable(machineType)} (--qemu BINARY names better ones)`;
  const names = knowing.map(({ name }) => name).join(', ');
  return `it is read by built-in tables, those of ${names} that fit best (--qemu BINARY names better ones)`;
}
