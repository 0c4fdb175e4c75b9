import fc from 'fast-check';
import { arithmeticOperators, comparisons, type Expression } from '../../src/expressions/expression.ts';

const constant = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.constantFrom<Expression>(63, 64, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff, '0x8000000000000000'),
  fc.constantFrom<Expression>('0xffffffffffffffff', '0xfffffffffffffffd', '0xffffffff00000000'),
);
const place = fc.tuple(fc.integer({ min: -2, max: 6 }), fc.constantFrom(1, 2, 4, 8));

const { expression } = fc.letrec<{ expression: Expression; address: Expression }>((tie) => ({
  address: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Expression>('opaque', 'field'),
    place.map(([offset]): Expression => ['load', 'opaque', offset, 8]),
    fc.tuple(tie('address'), constant).map(([a, b]): Expression => ['add', a, b]),
  ),
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Expression>('version', 'size', ['unknown', 'call']),
    constant,
    fc.tuple(tie('address'), place).map(([a, [offset, size]]): Expression => ['load', a, offset, size]),
    place.map(([offset, size]): Expression => ['load', 'global', 4096 + offset, size]),
    fc
      .tuple(fc.constantFrom(...comparisons), tie('expression'), tie('expression'))
      .map(([operator, a, b]): Expression => [operator, a, b]),
    fc
      .tuple(fc.constantFrom(...arithmeticOperators), tie('expression'), tie('expression'))
      .map(([operator, a, b]): Expression => [operator, a, b]),
    fc
      .tuple(
        fc.constantFrom('trunc' as const, 'sext' as const),
        tie('expression'),
        fc.constantFrom(1, 8, 16, 32, 64),
      )
      .map(([operator, a, bits]): Expression => [operator, a, bits]),
    fc
      .tuple(tie('expression'), tie('expression'), tie('expression'))
      .map(([a, b, c]): Expression => ['if', a, b, c]),
  ),
}));

/** Expressions of all forms, small enough to be looked at. */
export const anyExpression: fc.Arbitrary<Expression> = expression;
