import type { FunctionExpression, QemuSchema } from '../schema/qemu-schema.ts';
import { effortForTests, testLimits } from './code/limits.ts';
import { loadInstructionSet } from './code/load-instruction-set.ts';
import { programImage } from './code/program-image.ts';
import { analyseTest } from './code/test-function.ts';
import type { LoadedProgram } from './elf/load.ts';

/**
 * The tests of a schema that decide what is sent (`fieldExists`, `needed`), read from the code of the program that the
 * schema is of. None where the host's instruction set is not modelled.
 */
export async function readExpressions(
  program: LoadedProgram,
  schema: QemuSchema,
): Promise<FunctionExpression[]> {
  const set = await loadInstructionSet(program.machine);
  if (!set) return [];
  const image = programImage(program);
  const tests = new Set<number>();
  for (const { fields, callbacks } of schema.vmsds) {
    if (callbacks.needed !== undefined) tests.add(callbacks.needed);
    for (const { fieldExists } of fields) if (fieldExists !== undefined) tests.add(fieldExists);
  }
  const left = effortForTests();
  return [...tests].flatMap((index) => {
    const place = schema.functions[index];
    const object = place && program.objects[place.object];
    if (!object) return [];
    const expression = analyseTest(image, set, object.base + place.address, testLimits, left);
    // Nothing is gained by one that is unknown as a whole.
    return typeof expression === 'object' && expression[0] === 'unknown'
      ? []
      : [{ function: index, expression }];
  });
}
