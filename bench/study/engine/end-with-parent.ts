/** A process of a worker ends when the worker does, also where that was killed, also before there is anything to do. */
const parent = process.ppid;
const end = () => process.exit();
process.on('disconnect', end);
if (process.send && !process.connected) end();
// BullMQ tells its parent of what nobody has caught. Where that is gone, telling fails, which nobody catches either: it
// would go on for ever, and `disconnect` would never be heard.
process.prependListener('uncaughtException', () => {
  if (!process.connected || process.ppid !== parent) end();
});
