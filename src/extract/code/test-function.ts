import type { Expression } from '../../expressions/expression.ts';
import { toExpression } from '../../expressions/term-expression.ts';
import { Explorer } from './explore.ts';
import type { MachineImage } from './image.ts';
import type { InstructionSet } from './instruction-set.ts';
import { type Effort, type Limits, testLimits } from './limits.ts';

/**
 * What a test computes: `bool field_exists(void *opaque, int version_id)` of a VMStateField, or `bool needed(void
 * *opaque)` of a VMStateDescription. 0 or 1; a part that cannot be told from the code, or with what is left of the
 * effort, is unknown. Never throws.
 */
export function analyseTest(
  image: MachineImage,
  set: InstructionSet,
  address: number,
  limits: Limits = testLimits,
  left?: Effort,
): Expression {
  const explorer = new Explorer(image, set, limits);
  const { terms } = explorer;
  const outcome = explorer.run(address, [terms.symbol('opaque'), terms.symbol('version')], left);
  if (outcome.kind === 'lost') return ['unknown', outcome.reason];
  if (outcome.kind === 'dead') return ['unknown', 'call'];
  // A bool comes back in the low byte of the register.
  const result = outcome.state.registers[set.resultRegister]!;
  return toExpression(terms.truth(terms.trunc(result, 8)));
}
