// Starts the modules. Every page works without scripts, and no decision depends on them.
import { start as startDialogs } from "./dialog.js";
import { start as startElapsed } from "./elapsed.js";
import { start as startLive } from "./live.js";
import { start as startPast } from "./past.js";
import { start as startSend } from "./send.js";
import { start as startTimes } from "./times.js";
import { start as startToasts } from "./toasts.js";

startToasts();
startDialogs();
// This comes before startSend, because the question about a date in the past must keep a form from being sent.
startPast();
startSend();
startElapsed();
startTimes();
startLive();
