import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { Qmp, QmpClosed } from '../../src/node/qmp.ts';
import { NoQmpMessage, parseQmpMessage, QmpLines } from '../../src/node/qmp-message.ts';

/** Connects to a server that does this with the connection. */
async function connected(serve: (socket: Socket) => void): Promise<Socket> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    serve(socket);
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return connect((server.address() as AddressInfo).port, '127.0.0.1');
}

test.each(['null', '1', '[]', 'HTTP/1.1 200 OK', '{"QMP": 1.}'])(
  'what answers %s is no QEMU',
  async (line) => {
    const opened = Qmp.open(await connected((socket) => socket.write(`${line}\n`)));
    await expect(opened).rejects.toThrow(`what came from QEMU is not QMP (${JSON.stringify(line)})`);
  },
);

test('what is no QMP is quoted without what a terminal obeys', () => {
  expect(() => parseQmpMessage('\u009b2J\u202e')).toThrow('"\\u009b2J\\u202e"');
});

test('a connection that ends before the greeting', async () => {
  await expect(Qmp.open(await connected((socket) => socket.end()))).rejects.toBeInstanceOf(QmpClosed);
});

test('an error in answer to qmp_capabilities', async () => {
  const socket = await connected((server) => {
    server.write('{"QMP": {}}\n');
    server.on('data', () => server.write('{"id": 1, "error": {"class": "GenericError", "desc": "no"}}\n'));
  });
  await expect(Qmp.open(socket)).rejects.toThrow('QEMU refuses qmp_capabilities: no');
  socket.destroy();
});

test('answers in pieces, between events and answers that nobody waits for', async () => {
  const socket = await connected((server) => {
    server.write('{"QMP": {}}\n');
    server.on('data', async () => {
      const text = '{"event": "STOP"}\r\n{"id": "x", "return": 1}\n{"id": 1, "return": {"name": "é\\"1"}}\n';
      for (const byte of Buffer.from(text)) server.write(Uint8Array.of(byte));
    });
  });
  const qmp = await Qmp.open(socket);
  qmp.close();
});

test.each([
  // As query-migrate of a slow host has it.
  ['{"mbps": 2.9183649635036497}', { mbps: 2.9183649635036497 }],
  ['{"a": -12345678901234567890.5e-3}', { a: Number('-12345678901234567890.5e-3') }],
  ['{"a": 1234567890123456789E5}', { a: Number('1234567890123456789e5') }],
  [
    '{"a": 18446744073709551615, "b": -9223372036854775808}',
    { a: '18446744073709551615', b: '-9223372036854775808' },
  ],
  ['{"a": 9007199254740991, "b": 9007199254740992}', { a: 9007199254740991, b: '9007199254740992' }],
  [`{"a": 1${'0'.repeat(400)}}`, { a: `1${'0'.repeat(400)}` }],
  ['{"a": "\\\\\\" 12345678901234567890"}', { a: '\\" 12345678901234567890' }],
])('%s', (line, value) => {
  expect(parseQmpMessage(line)).toEqual(value);
});

test.each(['{12345678901234567890: 1}', '{"a": {-12345678901234567890 : 1}}'])('%s is no message', (line) => {
  expect(() => parseQmpMessage(line)).toThrow(NoQmpMessage);
});

test('a line of a byte at a time, up to the longest that there may be', () => {
  const lines = new QmpLines();
  const one = Uint8Array.of(0x61);
  let count = 0;
  for (let i = 0; i < 1 << 16; i++) count += [...lines.add(one)].length;
  expect(count).toBe(0);
  expect([...lines.add(Buffer.from('b\nc\n'))].map(({ length }) => length)).toEqual([(1 << 16) + 1, 1]);
  expect(() => [...lines.add(new Uint8Array((16 << 20) + 1).fill(0x61))]).toThrow(
    'a line of more than 16777216 bytes',
  );
});

test('any JSON, with exact integers', () => {
  fc.assert(
    fc.property(fc.json(), fc.bigInt(), (json, integer) => {
      const expected = { json: JSON.parse(json), text: json };
      const big = Number.isSafeInteger(Number(integer)) ? Number(integer) : String(integer);
      const line = `{"json": ${withoutLarge(json)}, "text": ${JSON.stringify(json)}, "big": ${integer}}`;
      expect(JSON.stringify(parseQmpMessage(line))).toBe(
        JSON.stringify({ json: JSON.parse(withoutLarge(json)), text: expected.text, big }),
      );
    }),
  );
});

/** JSON without integers that a number does not hold. */
function withoutLarge(json: string): string {
  return JSON.stringify(JSON.parse(json), (_key, value) =>
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) ? 0.5 : value,
  );
}

test('lines do not depend on how they are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ' ').trim())),
      fc.array(fc.nat({ max: 20 }), { minLength: 1 }),
      (texts, cuts) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
        const lines = new QmpLines();
        const found: string[] = [];
        for (let i = 0, start = 0; start < bytes.length; i++) {
          const end = start + cuts[i % cuts.length]! + 1;
          found.push(...lines.add(bytes.subarray(start, end)));
          start = end;
        }
        expect(found).toEqual(texts.filter((text) => text !== ''));
      },
    ),
  );
});
