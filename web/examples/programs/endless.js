console.log("This will not end by itself.");
for (;;) {}
