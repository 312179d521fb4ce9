# Recurses for ever (T039).
deeper() { deeper; }
deeper
