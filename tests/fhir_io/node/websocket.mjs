// Node 20 has no WebSocket, and Medplum's client, of which nothing is used here, names one while it loads.
globalThis.WebSocket ??= class {};
