"use strict";

// Reads messages, one JSON text per line, and writes one JSON verdict per line: the error of each of Segment's own
// validators (null: none), and what Segment's own reader for destinations reads from the message.

const { assertUserIdentity, validateEvent } = require("@segment/analytics-core");
const { Track } = require("@segment/facade");
const looselyValidate = require("@segment/loosely-validate-event");

// Validators see a message before it becomes JSON: its timestamp is a Date. Other text stays as it is, and is
// rejected.
function beforeJson(message) {
  const date = new Date(message.timestamp);
  return Number.isNaN(date.getTime()) ? message : { ...message, timestamp: date };
}

function refusal(validator) {
  try {
    validator();
    return null;
  } catch (error) {
    return error.message;
  }
}

function reading(message) {
  const track = new Track(message);
  return {
    userId: track.userId(),
    anonymousId: track.anonymousId(),
    event: track.event(),
    timestamp: track.timestamp(),
    // Segment's reader takes a time without a zone for UTC; JavaScript itself takes it for local time.
    moment: new Date(message.timestamp),
    email: track.email(),
    properties: track.properties(),
    context: track.context(),
  };
}

function verdict(message) {
  const given = beforeJson(message);
  const loosely = refusal(() => looselyValidate(given));
  // Segment's client calls these two in this order.
  const core = refusal(() => {
    validateEvent(given);
    assertUserIdentity(given);
  });
  return { loosely, core, read: loosely === null && core === null ? reading(message) : null };
}

async function main() {
  let text = "";
  process.stdin.setEncoding("utf8");
  for await (const chunk of process.stdin) text += chunk;
  // Not by `readline`, which takes U+2028 inside a text for the end of a line.
  const messages = text.split("\n").filter((line) => line !== "");
  process.stdout.write(messages.map((line) => JSON.stringify(verdict(JSON.parse(line))) + "\n").join(""));
}

main();
