import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkExpression } from '../../src/expressions/check-expression.ts';
import {
  type Expression,
  MAX_EXPRESSION_DEPTH,
  MAX_EXPRESSION_NODES,
} from '../../src/expressions/expression.ts';
import { anyExpression } from './any-expression.ts';

test('an expression survives JSON and the check', () => {
  fc.assert(
    fc.property(anyExpression, (expression) => {
      expect(checkExpression(JSON.parse(JSON.stringify(expression)))).toEqual(expression);
    }),
  );
});

test('what is no expression is refused', () => {
  const wrong: unknown[] = [
    null,
    {},
    [],
    -1,
    1.5,
    2 ** 53,
    'stack',
    '0x',
    '0x11112222333344445',
    ['load', 5, 0, 4],
    ['load', 'version', 0, 4],
    ['load', 'opaque', 0.5, 4],
    ['load', 'opaque', 0, 3],
    ['load', 'opaque', 0],
    ['trunc', 'version', 65],
    ['trunc', 'version', 0],
    ['add', 1],
    ['add', 1, 2, 3],
    ['__proto__', 1, 2],
    ['unknown', 'because'],
    ['if', 1, 2],
    ['eq', ['load', 'global', 0, 4], { length: 3 }],
  ];
  for (const value of wrong) expect(checkExpression(value), JSON.stringify(value)).toBeUndefined();
});

test('an expression that is too deep or too large is refused', () => {
  const nest = (levels: number): Expression => {
    let expression: Expression = 'version';
    for (let i = 0; i < levels; i++) expression = ['trunc', expression, 32];
    return expression;
  };
  expect(checkExpression(nest(MAX_EXPRESSION_DEPTH - 2))).toBeDefined();
  expect(checkExpression(nest(MAX_EXPRESSION_DEPTH + 1))).toBeUndefined();
  expect(checkExpression(nest(1_000_000))).toBeUndefined();
  let wide: Expression = 1;
  for (let i = 0; i < 12; i++) wide = ['add', wide, wide];
  expect(2 ** 12).toBeGreaterThan(MAX_EXPRESSION_NODES);
  expect(checkExpression(wide)).toBeUndefined();
});
