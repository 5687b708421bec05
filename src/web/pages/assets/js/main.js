// Starts what a page uses. A page works without any of it, and nothing is decided here.
import { start as startDialogs } from "./dialog.js";
import { start as startElapsed } from "./elapsed.js";
import { start as startLive } from "./live.js";
import { start as startPast } from "./past.js";
import { start as startSend } from "./send.js";
import { start as startTimes } from "./times.js";
import { start as startToasts } from "./toasts.js";

startToasts();
startDialogs();
// Before the forms are sent: a question keeps a form back.
startPast();
startSend();
startElapsed();
startTimes();
startLive();
